# POST /v1/chat/completions
curl -sS --fail-with-body -D - -o /dev/null "$CLAWLESS_URL/v1/chat/completions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"model": "auto", "messages": [{"role": "user", "content": "Hello!"}]}'
