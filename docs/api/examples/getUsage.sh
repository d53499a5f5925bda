# GET /v1/usage
curl -sS --fail-with-body "$CLAWLESS_URL/v1/usage" \
  -H "authorization: Bearer $CLAWLESS_API_KEY"
