# DELETE /admin/tenants/{id}/keys/{key}/widget/logo
curl -sS --fail-with-body -X DELETE "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID/widget/logo" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
