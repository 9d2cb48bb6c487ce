//! The criteria that controls speak to, by identifier and in our own words.

use std::fmt;

/// A published set of criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Framework {
    /// SOC 2: the trust services criteria of the AICPA (2017, points of focus of 2022).
    Soc2,
}

/// A reference to one criterion, for example `CC6.1` of SOC 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CriterionRef {
    framework: Framework,
    id: &'static str,
    title: &'static str,
}

impl Framework {
    /// The name in exports, for example `soc2`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Soc2 => "soc2",
        }
    }
}

impl CriterionRef {
    /// Every criterion that the catalogue speaks to, in the order of the matrix.
    pub const ALL: &'static [Self] = &[
        CC4_1, CC6_1, CC6_2, CC6_3, CC6_5, CC6_6, CC6_7, CC6_8, CC7_1, CC7_2, CC7_3, CC7_4, CC8_1, CC9_2, A1_2, A1_3,
        C1_1, C1_2, PI1_4, PI1_5,
    ];

    /// The set that this criterion belongs to.
    #[must_use]
    pub const fn framework(self) -> Framework {
        self.framework
    }

    /// The identifier within its framework, for example `CC6.1`.
    #[must_use]
    pub const fn id(self) -> &'static str {
        self.id
    }

    /// A short description in our own words. The text of the criteria is copyright of the AICPA and is not reproduced.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.title
    }

    const fn soc2(id: &'static str, title: &'static str) -> Self {
        Self { framework: Framework::Soc2, id, title }
    }
}

impl fmt::Display for CriterionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

pub(crate) const CC4_1: CriterionRef = CriterionRef::soc2("CC4.1", "Controls are checked while they run");
pub(crate) const CC6_1: CriterionRef = CriterionRef::soc2("CC6.1", "Protected data is behind logical access");
pub(crate) const CC6_2: CriterionRef = CriterionRef::soc2("CC6.2", "Accounts are granted first and removed after");
pub(crate) const CC6_3: CriterionRef = CriterionRef::soc2("CC6.3", "Roles carry the least that is needed");
pub(crate) const CC6_5: CriterionRef = CriterionRef::soc2("CC6.5", "Disposed data cannot be read again");
pub(crate) const CC6_6: CriterionRef = CriterionRef::soc2("CC6.6", "Outsiders are kept out at the boundary");
pub(crate) const CC6_7: CriterionRef = CriterionRef::soc2("CC6.7", "Data is protected on the move");
pub(crate) const CC6_8: CriterionRef = CriterionRef::soc2("CC6.8", "Unwanted software is kept out");
pub(crate) const CC7_1: CriterionRef = CriterionRef::soc2("CC7.1", "Weaknesses and changes are noticed");
pub(crate) const CC7_2: CriterionRef = CriterionRef::soc2("CC7.2", "Unusual activity can be seen");
pub(crate) const CC7_3: CriterionRef = CriterionRef::soc2("CC7.3", "Security events are evaluated");
pub(crate) const CC7_4: CriterionRef = CriterionRef::soc2("CC7.4", "Incidents are answered");
pub(crate) const CC8_1: CriterionRef = CriterionRef::soc2("CC8.1", "Changes are controlled");
pub(crate) const CC9_2: CriterionRef = CriterionRef::soc2("CC9.2", "Suppliers are known and managed");
pub(crate) const A1_2: CriterionRef = CriterionRef::soc2("A1.2", "Backups and recovery are in place");
pub(crate) const A1_3: CriterionRef = CriterionRef::soc2("A1.3", "Recovery is exercised");
pub(crate) const C1_1: CriterionRef = CriterionRef::soc2("C1.1", "Confidential data is identified and kept");
pub(crate) const C1_2: CriterionRef = CriterionRef::soc2("C1.2", "Confidential data is disposed of");
pub(crate) const PI1_4: CriterionRef = CriterionRef::soc2("PI1.4", "Output is complete, exact and in time");
pub(crate) const PI1_5: CriterionRef = CriterionRef::soc2("PI1.5", "Stored records stay complete and unaltered");
