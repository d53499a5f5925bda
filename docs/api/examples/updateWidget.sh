# PATCH /admin/tenants/{id}/keys/{key}/widget
curl -sS --fail-with-body -X PATCH "$CLAWLESS_URL/admin/tenants/$TENANT_ID/keys/$KEY_ID/widget" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"title": "Acme", "colours": {"accent": "#5746e0"}, "languages": ["en", "de"]}'
