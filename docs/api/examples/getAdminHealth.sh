# GET /admin/health
curl -sS --fail-with-body "$CLAWLESS_URL/admin/health" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
