# POST /admin/tokens/{id}/revoke
curl -sS --fail-with-body -X POST "$CLAWLESS_URL/admin/tokens/$TOKEN_ID/revoke" \
  -H "authorization: Bearer $CLAWLESS_ADMIN_TOKEN"
