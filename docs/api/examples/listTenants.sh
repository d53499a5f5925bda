# GET /admin/tenants
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants?limit=100" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
