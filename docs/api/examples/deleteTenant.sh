# DELETE /admin/tenants/{id}
# Repeat it while the status is 202.
curl -sS --fail-with-body -X DELETE "$CLAWLESS_URL/admin/tenants/$TENANT_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
