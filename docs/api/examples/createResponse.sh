# POST /v1/responses
curl -sS --fail-with-body "$CLAWLESS_URL/v1/responses" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{"model": "auto", "instructions": "Be brief.", "input": "Hello!"}'
