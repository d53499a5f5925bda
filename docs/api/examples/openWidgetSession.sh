# POST /v1/widget/session
curl -sS --fail-with-body "$CLAWLESS_URL/v1/widget/session" \
  -H "authorization: Bearer $PUBLIC_KEY" \
  -H "origin: $SITE_ORIGIN" \
  -H 'content-type: application/json' \
  -d '{"widget_version": "1.0.0"}'
