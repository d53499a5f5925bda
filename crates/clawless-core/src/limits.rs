//! Limits and quotas: what each tier grants, and what an operator set for one tenant instead.
//!
//! The tiers' numbers stand in `data/tiers.json` and nowhere else.

use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::{MicroDollars, Tokens};
use crate::tenant::{Tenant, Tier};

/// How fast a tenant may ask. `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute, in the long run.
    pub requests_per_minute: Option<u64>,
    /// Requests at once, after a pause. Unlimited switches the rate limit off altogether.
    pub burst: Option<u64>,
    /// Model calls that may run at the same time.
    pub concurrent: Option<u64>,
}

/// How much a tenant may use in a calendar month (UTC). `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct Quotas {
    /// Answered chat requests.
    pub messages_per_month: Option<u64>,
    /// Tokens, of requests and answers together.
    pub tokens_per_month: Option<Tokens>,
    /// Money, in millionths of a US dollar.
    pub micro_dollars_per_month: Option<MicroDollars>,
}

impl Limits {
    /// Nothing passes.
    pub const NOTHING: Self = Self {
        requests_per_minute: Some(0),
        burst: Some(0),
        concurrent: Some(0),
    };
    /// Everything passes.
    pub const UNLIMITED: Self = Self {
        requests_per_minute: None,
        burst: None,
        concurrent: None,
    };
}

impl Quotas {
    /// Nothing may be used.
    pub const NOTHING: Self = Self {
        messages_per_month: Some(0),
        tokens_per_month: Some(Tokens::ZERO),
        micro_dollars_per_month: Some(MicroDollars::ZERO),
    };
    /// Any amount may be used.
    pub const UNLIMITED: Self = Self {
        messages_per_month: None,
        tokens_per_month: None,
        micro_dollars_per_month: None,
    };
}

/// What one tier grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How fast.
    pub limits: Limits,
    /// How much.
    pub quotas: Quotas,
}

impl Plan {
    /// A plan that grants nothing.
    const NOTHING: Self = Self {
        limits: Limits::NOTHING,
        quotas: Quotas::NOTHING,
    };
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tiers {
    free: Plan,
    pro: Plan,
    enterprise: Plan,
}

/// The data file, read once. Were it broken, nothing would be granted; a test keeps it whole.
static TIERS: LazyLock<Tiers> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/tiers.json")).unwrap_or(Tiers {
        free: Plan::NOTHING,
        pro: Plan::NOTHING,
        enterprise: Plan::NOTHING,
    })
});

impl Tier {
    /// What the tier grants to tenants of which nothing else was said.
    pub fn plan(self) -> &'static Plan {
        match self {
            Self::Free => &TIERS.free,
            Self::Pro => &TIERS.pro,
            Self::Enterprise => &TIERS.enterprise,
        }
    }
}

/// What an operator says of one limit: nothing (absent), `null` (unlimited) or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Override<T> {
    /// The tier's default holds.
    #[default]
    TierDefault,
    /// No limit.
    Unlimited,
    /// This one.
    Set(T),
}

impl<T: Copy> Override<T> {
    /// The limit that holds, where the tier says `default`.
    pub fn over(self, default: Option<T>) -> Option<T> {
        match self {
            Self::TierDefault => default,
            Self::Unlimited => None,
            Self::Set(limit) => Some(limit),
        }
    }

    /// Whether nothing was said. Such a member is not written.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes by reference"
    )]
    pub fn is_tier_default(&self) -> bool {
        matches!(self, Self::TierDefault)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Override<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            Some(limit) => Self::Set(limit),
            None => Self::Unlimited,
        })
    }
}

impl<T: Serialize> Serialize for Override<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(limit) => limit.serialize(serializer),
            Self::TierDefault | Self::Unlimited => serializer.serialize_none(),
        }
    }
}

/// A tenant's own limits, where they differ from its tier's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitOverrides {
    /// Requests a minute.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub requests_per_minute: Override<u64>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub burst: Override<u64>,
    /// Model calls at the same time.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub concurrent: Override<u64>,
}

/// A tenant's own quotas, where they differ from its tier's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct QuotaOverrides {
    /// Answered chat requests.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub messages_per_month: Override<u64>,
    /// Tokens.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub tokens_per_month: Override<Tokens>,
    /// Millionths of a US dollar.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub micro_dollars_per_month: Override<MicroDollars>,
}

impl LimitOverrides {
    /// The limits that hold for a tenant of `tier`.
    pub fn over(&self, tier: Tier) -> Limits {
        let default = tier.plan().limits;
        Limits {
            requests_per_minute: self.requests_per_minute.over(default.requests_per_minute),
            burst: self.burst.over(default.burst),
            concurrent: self.concurrent.over(default.concurrent),
        }
    }
}

impl QuotaOverrides {
    /// The quotas that hold for a tenant of `tier`.
    pub fn over(&self, tier: Tier) -> Quotas {
        let default = tier.plan().quotas;
        Quotas {
            messages_per_month: self.messages_per_month.over(default.messages_per_month),
            tokens_per_month: self.tokens_per_month.over(default.tokens_per_month),
            micro_dollars_per_month: self
                .micro_dollars_per_month
                .over(default.micro_dollars_per_month),
        }
    }
}

impl Tenant {
    /// How fast the tenant may ask.
    pub fn limits(&self) -> Limits {
        self.settings.limits.over(self.tier)
    }

    /// How much the tenant may use in a month.
    pub fn quotas(&self) -> Quotas {
        self.settings.quotas.over(self.tier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::TenantSettings;

    #[test]
    fn the_data_file_is_whole_and_tiers_grow() {
        let (free, pro) = (Tier::Free.plan(), Tier::Pro.plan());
        assert_ne!(*free, Plan::NOTHING, "data/tiers.json does not parse");
        assert!(free.limits.requests_per_minute < pro.limits.requests_per_minute);
        assert!(free.quotas.tokens_per_month < pro.quotas.tokens_per_month);
        assert_eq!(Tier::Enterprise.plan().quotas, Quotas::UNLIMITED);
    }

    #[test]
    fn absent_is_the_tiers_default_and_null_is_unlimited() {
        let text = r#"{"limits":{"burst":null,"concurrent":2},"quotas":{"tokens_per_month":0}}"#;
        let settings: TenantSettings = serde_json::from_str(text).expect("valid");
        let limits = settings.limits.over(Tier::Free);
        let default = Tier::Free.plan();
        assert_eq!(
            limits.requests_per_minute,
            default.limits.requests_per_minute
        );
        assert_eq!((limits.burst, limits.concurrent), (None, Some(2)));
        let quotas = settings.quotas.over(Tier::Free);
        assert_eq!(quotas.tokens_per_month, Some(Tokens::ZERO));
        assert_eq!(quotas.messages_per_month, default.quotas.messages_per_month);

        let again = serde_json::to_value(&settings).expect("serialises");
        assert_eq!(
            again["limits"].to_string(),
            r#"{"burst":null,"concurrent":2}"#
        );
        assert_eq!(
            serde_json::from_value::<TenantSettings>(again).expect("reads"),
            settings
        );
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for bad in ["-1", "1.5", "\"5\"", "18446744073709551616", "[]"] {
            let text = format!(r#"{{"burst":{bad}}}"#);
            assert!(
                serde_json::from_str::<LimitOverrides>(&text).is_err(),
                "{bad}"
            );
        }
        assert!(serde_json::from_str::<LimitOverrides>(r#"{"bursts":1}"#).is_err());
    }
}
