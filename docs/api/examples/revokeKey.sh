# POST /admin/tenants/{id}/keys/{key}/revoke
curl -sS --fail-with-body -X POST "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID/revoke" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
