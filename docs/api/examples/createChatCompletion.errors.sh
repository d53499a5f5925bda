# POST /v1/chat/completions
curl -sS -i "$CLAWLESS_URL/v1/chat/completions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"model": "no-such-model", "messages": [{"role": "user", "content": "Hello!"}]}'
