//! The admin Worker.
