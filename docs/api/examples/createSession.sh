# POST /v1/sessions
curl -sS --fail-with-body "$CLAWLESS_URL/v1/sessions" \
  -H "authorization: Bearer $CLAWLESS_API_KEY" \
  -H 'content-type: application/json' \
  -d '{
    "title": "Trip to Rome",
    "metadata": {"user": "42"},
    "system_prompt": "Be brief.",
    "ttl": 86400
  }'
