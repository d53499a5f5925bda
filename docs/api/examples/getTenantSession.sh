# GET /admin/tenants/{id}/sessions/{session}
curl -sS --fail-with-body "$CLAWLESS_URL/admin/tenants/$TENANT_ID/sessions/$SESSION_ID" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
