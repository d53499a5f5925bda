# PATCH /admin/tenants/{id}
curl -sS --fail-with-body -X PATCH "$CLAWLESS_URL/admin/tenants/$TENANT_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN" \
  -H 'content-type: application/json' \
  -d '{"limits": {"requests_per_minute": 120}, "default_model": null}'
