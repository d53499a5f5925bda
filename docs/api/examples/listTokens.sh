# GET /admin/tokens
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tokens?limit=100" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
