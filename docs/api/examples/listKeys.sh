# GET /admin/tenants/{id}/keys
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
