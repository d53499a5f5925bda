# POST /v1/messages/count_tokens
curl -sS --fail-with-body "$CLAWLESS_URL/v1/messages/count_tokens" \
  -H "x-api-key: $CLAWLESS_API_KEY" \
  -H 'anthropic-version: 2023-06-01' \
  -H 'content-type: application/json' \
  -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
