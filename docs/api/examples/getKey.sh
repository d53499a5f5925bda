# GET /admin/tenants/{id}/keys/{key}
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
