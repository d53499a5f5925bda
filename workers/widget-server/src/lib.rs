//! The widget-server Worker.
