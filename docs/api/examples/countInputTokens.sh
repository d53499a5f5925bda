# POST /v1/responses/input_tokens
curl -sS --fail-with-body "$CLAWLESS_URL/v1/responses/input_tokens" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"model": "auto", "input": "Hello!"}'
