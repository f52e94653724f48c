import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/** JavaClient.java URL BODY KEY TIMES: the same POST again and again through one client; prints each status or error. */
public final class JavaClient {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).followRedirects(HttpClient.Redirect.NORMAL).build();
        var request = HttpRequest.newBuilder(URI.create(args[0]))
            .header("Authorization", "Bearer t")
            .header("Content-Type", "text/plain")
            .POST(args[1].isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(args[1]));
        if (!args[2].isEmpty()) {
            request.header("Idempotency-Key", args[2]);
        }

        for (var time = 0; time < Integer.parseInt(args[3]); time++) {
            try {
                System.out.println(client.send(request.build(), BodyHandlers.ofString()).statusCode());
            } catch (IOException error) {
                System.out.println(error.getClass().getSimpleName());
            }
        }
    }
}
