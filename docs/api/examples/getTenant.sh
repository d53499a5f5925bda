# GET /admin/tenants/{id}
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
