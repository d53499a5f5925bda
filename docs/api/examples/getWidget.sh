# GET /admin/tenants/{id}/keys/{key}/widget
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID/widget" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
