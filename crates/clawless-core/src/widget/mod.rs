//! The chat widget: the settings of a public key's widget, logos, and the tokens of visitors and of
//! signed-in users.

mod logo;
mod settings;
mod user_token;
mod visitor_token;

pub use logo::{InvalidLogo, Logo, LogoFormat, MAX_LOGO_BYTES};
pub use settings::{Colours, SignatureAlgorithm, Theme, UserTokenSettings, WidgetSettings};
pub use user_token::{InvalidUserToken, SignedUserToken, USER_TOKEN_LIFETIME, UserId};
pub use visitor_token::{
    InvalidVisitorToken, VISITOR_TOKEN_TTL, Visitor, VisitorToken, new_visitor_secret,
};
