// go-client URL BODY KEY TIMES: the same POST again and again through one client; prints each status or error.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func main() {
	url, body, key := os.Args[1], os.Args[2], os.Args[3]
	times, _ := strconv.Atoi(os.Args[4])
	for time := 0; time < times; time++ {
		var content io.Reader
		if body != "" {
			content = strings.NewReader(body)
		}
		request, _ := http.NewRequest("POST", url, content)
		request.Header.Set("Authorization", "Bearer t")
		request.Header.Set("Content-Type", "text/plain")
		if key != "" {
			request.Header.Set("Idempotency-Key", key)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		fmt.Println(answer.StatusCode)
	}
}
