# POST /admin/tokens
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tokens" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"name": "Ada", "role": "operator"}'
