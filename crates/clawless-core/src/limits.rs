//! Limits and quotas: the defaults of each tier (`data/tiers.json`), and overrides of one tenant.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::{Error, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::money::{MicroDollars, Tokens};
use crate::tier::Tier;

/// Rate limits. `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Sustained requests per minute.
    pub requests_per_minute: Option<u64>,
    /// The size of the token bucket, in requests. `None` disables the rate limit.
    pub burst: Option<u64>,
    /// Concurrent model calls.
    pub concurrent: Option<u64>,
    /// The parts of the rate that the classes of endpoints may use.
    #[serde(default, skip_serializing_if = "ClassShares::is_default")]
    pub shares: ClassShares,
}

/// Limits of one API key within those of its tenant. `None`: only the tenant's apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    /// Sustained requests per minute.
    pub requests_per_minute: Option<u64>,
    /// The size of the token bucket, in requests; `requests_per_minute` if absent.
    pub burst: Option<u64>,
    /// Concurrent model calls.
    pub concurrent: Option<u64>,
}

impl KeyLimits {
    /// Whether only the limits of the tenant apply.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes by reference"
    )]
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// The parts of a tenant's rate that its classes of endpoints may use, in percent, so that requests of
/// one class cannot block the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClassShares {
    /// Model calls.
    pub chat: Percent,
    /// Reads.
    pub read: Percent,
    /// Changes of sessions and messages.
    pub write: Percent,
}

impl ClassShares {
    /// Reads and changes use at most half of the rate, so that a polling dashboard cannot block chats.
    pub const DEFAULT: Self = Self {
        chat: Percent(100),
        read: Percent(50),
        write: Percent(50),
    };

    /// Whether these are the default shares.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes by reference"
    )]
    pub fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }
}

impl Default for ClassShares {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A part of a limit: 1 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64")]
pub struct Percent(u8);

impl Percent {
    /// The number of percent.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A number that is not a percentage of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a whole number from 1 to 100")]
pub struct InvalidPercent;

impl TryFrom<u64> for Percent {
    type Error = InvalidPercent;

    fn try_from(number: u64) -> Result<Self, InvalidPercent> {
        let number = u8::try_from(number).map_err(|_| InvalidPercent)?;
        let is_valid = (1..=100).contains(&number);
        is_valid.then_some(Self(number)).ok_or(InvalidPercent)
    }
}

/// Quotas for a calendar month (UTC). `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct Quotas {
    /// Completed chat requests.
    pub messages_per_month: Option<u64>,
    /// Tokens of requests and responses.
    pub tokens_per_month: Option<Tokens>,
    /// Cost, in millionths of a US dollar.
    pub micro_dollars_per_month: Option<MicroDollars>,
}

/// Limits of stored content. `None` is unlimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StorageLimits {
    /// Sessions.
    pub sessions: Option<u64>,
    /// Messages of sessions.
    pub messages: Option<u64>,
    /// Bytes of these messages and of the settings of the sessions.
    pub bytes: Option<u64>,
}

impl StorageLimits {
    /// Rejects all content.
    pub const NOTHING: Self = Self {
        sessions: Some(0),
        messages: Some(0),
        bytes: Some(0),
    };
    /// No limit.
    pub const UNLIMITED: Self = Self {
        sessions: None,
        messages: None,
        bytes: None,
    };
}

impl Limits {
    /// Rejects every request.
    pub const NOTHING: Self = Self {
        requests_per_minute: Some(0),
        burst: Some(0),
        concurrent: Some(0),
        shares: ClassShares::DEFAULT,
    };
    /// No limit.
    pub const UNLIMITED: Self = Self {
        requests_per_minute: None,
        burst: None,
        concurrent: None,
        shares: ClassShares::DEFAULT,
    };
}

impl Quotas {
    /// Rejects every request.
    pub const NOTHING: Self = Self {
        messages_per_month: Some(0),
        tokens_per_month: Some(Tokens::ZERO),
        micro_dollars_per_month: Some(MicroDollars::ZERO),
    };
    /// No limit.
    pub const UNLIMITED: Self = Self {
        messages_per_month: None,
        tokens_per_month: None,
        micro_dollars_per_month: None,
    };
}

/// The defaults of a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Rate limits.
    pub limits: Limits,
    /// Monthly quotas.
    pub quotas: Quotas,
    /// Limits of stored content.
    pub storage: StorageLimits,
}

impl Plan {
    /// Rejects every request.
    const NOTHING: Self = Self {
        limits: Limits::NOTHING,
        quotas: Quotas::NOTHING,
        storage: StorageLimits::NOTHING,
    };
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tiers {
    free: Plan,
    pro: Plan,
    enterprise: Plan,
}

/// The parsed data file. An invalid file rejects every request; a test checks that it is valid.
static TIERS: LazyLock<Tiers> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/tiers.json")).unwrap_or(Tiers {
        free: Plan::NOTHING,
        pro: Plan::NOTHING,
        enterprise: Plan::NOTHING,
    })
});

impl Tier {
    /// The default limits and quotas of the tier.
    pub fn plan(self) -> &'static Plan {
        match self {
            Self::Free => &TIERS.free,
            Self::Pro => &TIERS.pro,
            Self::Enterprise => &TIERS.enterprise,
        }
    }
}

/// An override of one limit in JSON: absent (default), `null` or `"unlimited"`, or a number. It is
/// written as `null`; in a merge patch, where `null` removes a member, `"unlimited"` sets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Override<T> {
    /// The tier's default applies.
    #[default]
    TierDefault,
    /// No limit.
    Unlimited,
    /// This limit.
    Set(T),
}

impl<T: Copy> Override<T> {
    /// The effective limit, with `default` of the tier.
    pub fn resolve(self, default: Option<T>) -> Option<T> {
        match self {
            Self::TierDefault => default,
            Self::Unlimited => None,
            Self::Set(limit) => Some(limit),
        }
    }

    /// Whether the default applies. Such a member is not serialized.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes by reference"
    )]
    pub fn is_tier_default(&self) -> bool {
        matches!(self, Self::TierDefault)
    }
}

/// The text that sets no limit.
const UNLIMITED: &str = "unlimited";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Override<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OverrideVisitor(PhantomData))
    }
}

struct OverrideVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OverrideVisitor<T> {
    type Value = Override<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number from 0, null or \"unlimited\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Override<T>, E> {
        T::deserialize(number.into_deserializer()).map(Override::Set)
    }

    fn visit_unit<E: Error>(self) -> Result<Override<T>, E> {
        Ok(Override::Unlimited)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Override<T>, E> {
        if text == UNLIMITED {
            Ok(Override::Unlimited)
        } else {
            Err(E::invalid_value(Unexpected::Str(text), &self))
        }
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

/// Overrides of a tier's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LimitOverrides {
    /// Sustained requests per minute.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub requests_per_minute: Override<u64>,
    /// The size of the token bucket.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub burst: Override<u64>,
    /// Concurrent model calls.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub concurrent: Override<u64>,
    /// The parts of the rate per class of endpoints; absent ones are the default.
    #[serde(skip_serializing_if = "ClassShares::is_default")]
    pub shares: ClassShares,
}

/// Overrides of a tier's quotas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_field_names, reason = "the API's own names")]
pub struct QuotaOverrides {
    /// Completed chat requests.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub messages_per_month: Override<u64>,
    /// Tokens.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub tokens_per_month: Override<Tokens>,
    /// Cost, in millionths of a US dollar.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub micro_dollars_per_month: Override<MicroDollars>,
}

/// Overrides of a tier's limits of stored content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StorageOverrides {
    /// Sessions.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub sessions: Override<u64>,
    /// Messages of sessions.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub messages: Override<u64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Override::is_tier_default")]
    pub bytes: Override<u64>,
}

impl StorageOverrides {
    /// The effective limits for a tenant of `tier`.
    pub fn resolve(&self, tier: Tier) -> StorageLimits {
        let default = tier.plan().storage;
        StorageLimits {
            sessions: self.sessions.resolve(default.sessions),
            messages: self.messages.resolve(default.messages),
            bytes: self.bytes.resolve(default.bytes),
        }
    }
}

impl LimitOverrides {
    /// The effective limits for a tenant of `tier`.
    pub fn resolve(&self, tier: Tier) -> Limits {
        let default = tier.plan().limits;
        Limits {
            requests_per_minute: self
                .requests_per_minute
                .resolve(default.requests_per_minute),
            burst: self.burst.resolve(default.burst),
            concurrent: self.concurrent.resolve(default.concurrent),
            shares: self.shares,
        }
    }
}

impl QuotaOverrides {
    /// The effective quotas for a tenant of `tier`.
    pub fn resolve(&self, tier: Tier) -> Quotas {
        let default = tier.plan().quotas;
        Quotas {
            messages_per_month: self.messages_per_month.resolve(default.messages_per_month),
            tokens_per_month: self.tokens_per_month.resolve(default.tokens_per_month),
            micro_dollars_per_month: self
                .micro_dollars_per_month
                .resolve(default.micro_dollars_per_month),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_file_is_valid_and_tiers_are_ordered() {
        let (free, pro) = (Tier::Free.plan(), Tier::Pro.plan());
        assert_ne!(*free, Plan::NOTHING, "data/tiers.json does not parse");
        assert!(free.limits.requests_per_minute < pro.limits.requests_per_minute);
        assert!(free.quotas.tokens_per_month < pro.quotas.tokens_per_month);
        assert!(free.storage.bytes < pro.storage.bytes);
        let enterprise = Tier::Enterprise.plan();
        assert_eq!(enterprise.quotas, Quotas::UNLIMITED);
        assert_eq!(enterprise.storage, StorageLimits::UNLIMITED);
    }

    #[test]
    fn limit_that_is_not_a_count_is_rejected() {
        for invalid in [
            "-1",
            "1.5",
            "\"5\"",
            "\"Unlimited\"",
            "\"\"",
            "true",
            "18446744073709551616",
            "[]",
            "{}",
        ] {
            let text = format!(r#"{{"burst":{invalid}}}"#);
            assert!(
                serde_json::from_str::<LimitOverrides>(&text).is_err(),
                "{invalid}"
            );
        }
        assert!(serde_json::from_str::<LimitOverrides>(r#"{"bursts":1}"#).is_err());
        for invalid in ["0", "101", "-1", "1.5", "null", "\"50\""] {
            let text = format!(r#"{{"shares":{{"read":{invalid}}}}}"#);
            assert!(
                serde_json::from_str::<LimitOverrides>(&text).is_err(),
                "{invalid}"
            );
        }
        assert!(serde_json::from_str::<LimitOverrides>(r#"{"shares":{"admin":1}}"#).is_err());
    }

    #[test]
    fn null_and_unlimited_remove_a_limit_and_are_written_as_null() {
        for text in ["null", "\"unlimited\""] {
            let text = format!(r#"{{"tokens_per_month":{text},"messages_per_month":5}}"#);
            let overrides: QuotaOverrides = serde_json::from_str(&text).expect("valid");
            let quotas = overrides.resolve(Tier::Free);
            assert_eq!(quotas.tokens_per_month, None);
            assert_eq!(quotas.messages_per_month, Some(5));
            let default = Tier::Free.plan().quotas;
            let dollars = quotas.micro_dollars_per_month;
            assert_eq!(dollars, default.micro_dollars_per_month);
            let written = serde_json::to_value(overrides).expect("serialises");
            let expected = serde_json::json!({"tokens_per_month": null, "messages_per_month": 5});
            assert_eq!(written, expected);
            let read: QuotaOverrides = serde_json::from_value(written).expect("reads");
            assert_eq!(read, overrides);
        }
    }

    #[test]
    fn shares_are_overridden_one_by_one_and_absent_ones_are_not_written() {
        let overrides: LimitOverrides =
            serde_json::from_str(r#"{"shares":{"read":10}}"#).expect("valid");
        let shares = overrides.resolve(Tier::Free).shares;
        assert_eq!(
            [shares.chat, shares.read, shares.write].map(Percent::get),
            [100, 10, 50]
        );
        let limits = Tier::Free.plan().limits;
        let text = serde_json::to_string(&limits).expect("serialises");
        assert!(
            !text.contains("shares"),
            "readable by earlier versions: {text}"
        );
        assert_eq!(
            serde_json::from_str::<Limits>(&text).expect("reads"),
            limits
        );
    }
}
