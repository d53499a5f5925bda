# GET /admin/usage
curl -sS --fail-with-body "$CLAWLESS_URL/admin/usage" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
