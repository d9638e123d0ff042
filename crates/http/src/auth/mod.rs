//! Who asks.

pub(crate) mod certificate;
