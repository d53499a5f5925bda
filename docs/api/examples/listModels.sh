# GET /v1/models
curl -sS --fail-with-body "$CLAWLESS_URL/v1/models" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
