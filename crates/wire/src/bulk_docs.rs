//! Skeleton: see the module's owner.
