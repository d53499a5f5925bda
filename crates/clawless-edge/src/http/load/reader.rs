//! Who reads, and what.

use std::rc::Rc;

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// The tenant, or a name for all operators.
    pub tenant: Rc<str>,
    /// The API key or the operator's token, by id; of a visitor, its session.
    pub key: Rc<str>,
    /// What is read.
    pub kind: ReadKind,
}

/// The kinds of reads, which are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadKind {
    /// A page or one resource.
    Page,
    /// A stream that takes as long as its reader.
    Export,
    /// A read of a visitor of the chat widget.
    Visitor,
}

impl Reader {
    /// The account whose reading rate and waiting reads are limited.
    pub(super) fn account(&self) -> Rc<str> {
        account(&self.tenant, self.kind)
    }
}

/// The account of a tenant's reads: all visitors have one beside the tenant's.
pub(super) fn account(tenant: &Rc<str>, kind: ReadKind) -> Rc<str> {
    if kind == ReadKind::Visitor {
        format!("visitors of {tenant}").into()
    } else {
        tenant.clone()
    }
}
