# GET /v1/sessions
curl -sS --fail-with-body -G "$CLAWLESS_URL/v1/sessions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  --data-urlencode 'title=rome' \
  --data-urlencode 'metadata[user]=42' \
  --data-urlencode 'created_after=1767225600'
