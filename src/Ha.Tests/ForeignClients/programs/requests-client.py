# requests-client.py URL BODY KEY TIMES: the same POST again and again through one session; prints each status or error.
import sys

import requests

_, url, body, key, times = sys.argv
session = requests.Session()
headers = {"Authorization": "Bearer t", "Content-Type": "text/plain"} | ({"Idempotency-Key": key} if key else {})
for _ in range(int(times)):
    try:
        print(session.post(url, data=body or None, headers=headers).status_code)
    except requests.RequestException as error:
        print(type(error).__name__)
