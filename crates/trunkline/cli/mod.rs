//! The commands, one file each.

pub(crate) mod audit_log;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod config;
pub(crate) mod export;
pub(crate) mod failure;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod init;
pub(crate) mod jobs;
pub(crate) mod listen;
pub(crate) mod location;
pub(crate) mod login;
pub(crate) mod migrate;
pub(crate) mod output;
pub(crate) mod password;
pub(crate) mod progress;
pub(crate) mod remote;
pub(crate) mod replicate;
pub(crate) mod serve;
pub(crate) mod settings;
pub(crate) mod signals;
pub(crate) mod snapshot;
pub(crate) mod trust;
pub(crate) mod verify;

pub(crate) use failure::Failure;
