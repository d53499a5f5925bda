# GET /admin/audit
curl -sS --fail-with-body "$CLAWLESS_URL/admin/audit?limit=20" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
