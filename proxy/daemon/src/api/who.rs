//! Who asks, and what they may.

use std::fmt;

/// A part of the service that roles are given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Area {
    Edge,
    Site,
    Trunk,
    Calls,
}

/// What somebody may do. Who may change something may see it, and an administrator may everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    View(Area),
    Edit(Area),
    Admin,
}

impl Role {
    const ALL: [(Self, &'static str); 9] = [
        (Self::View(Area::Edge), "telephony.edge.view"),
        (Self::Edit(Area::Edge), "telephony.edge.edit"),
        (Self::View(Area::Site), "telephony.site.view"),
        (Self::Edit(Area::Site), "telephony.site.edit"),
        (Self::View(Area::Trunk), "telephony.trunk.view"),
        (Self::Edit(Area::Trunk), "telephony.trunk.edit"),
        (Self::View(Area::Calls), "telephony.calls.view"),
        (Self::Edit(Area::Calls), "telephony.calls.edit"),
        (Self::Admin, "telephony.admin"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(role, _)| *role)
    }

    /// For complaints.
    pub(crate) fn known() -> String {
        Self::ALL.map(|(_, name)| name).join(", ")
    }

    fn bits(self) -> u16 {
        let bit = |role| Self::ALL.iter().position(|(known, _)| *known == role).map_or(0, |at| 1 << at);
        match self {
            Self::View(_) => bit(self),
            Self::Edit(area) => bit(self) | bit(Self::View(area)),
            Self::Admin => u16::MAX,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(role, _)| role == self).map_or("", |(_, name)| name))
    }
}

/// Several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Roles(u16);

impl Roles {
    pub(crate) const ALL: Self = Self(u16::MAX);

    pub(crate) fn add(&mut self, role: Role) {
        self.0 |= role.bits();
    }

    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn allow(self, role: Role) -> bool {
        self.0 & role.bits() == role.bits()
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        Role::ALL.iter().filter(|(role, _)| self.allow(*role)).map(|(_, name)| *name).collect()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let mut all = Self::default();
        roles.into_iter().for_each(|role| all.add(role));
        all
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    /// As the access file has it, or else `uid N`; the audit log's `who`.
    pub(crate) name: String,
    pub(crate) roles: Roles,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_change_may_see_and_nothing_else() {
        let roles: Roles = [Role::Edit(Area::Edge)].into_iter().collect();
        assert!(roles.allow(Role::View(Area::Edge)) && roles.allow(Role::Edit(Area::Edge)));
        assert!(!roles.allow(Role::View(Area::Calls)) && !roles.allow(Role::Admin));
        assert_eq!(roles.names(), ["telephony.edge.view", "telephony.edge.edit"]);
    }

    #[test]
    fn an_administrator_may_everything_and_all_roles_together_are_not_one() {
        assert!(Role::ALL.iter().all(|(role, _)| Roles::ALL.allow(*role)));
        let most: Roles = Role::ALL.iter().map(|(r, _)| *r).filter(|r| *r != Role::Admin).collect();
        assert!(!most.allow(Role::Admin));
        for (role, name) in Role::ALL {
            assert_eq!((Role::named(name), role.to_string()), (Some(role), name.to_owned()));
        }
    }
}
