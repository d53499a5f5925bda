# POST /v1/messages
curl -sS --fail-with-body -N "$CLAWLESS_URL/v1/messages" \
  -H "x-api-key: $CLAWLESS_API_KEY" \
  -H 'anthropic-version: 2023-06-01' \
  -H 'content-type: application/json' \
  -d '{"model": "auto", "max_tokens": 1024, "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'
