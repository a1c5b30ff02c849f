//! What the kernel knows of the way to a peer (rtnetlink, RFC 3549): route, neighbour, interface.
//!
//! A way is looked up when the first flow takes it, and again with news of routes, neighbours and interfaces; never for a
//! packet. What cannot be told is no way: the packets then take the sockets, and the stack finds one.

use super::tables::NextHop;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoData, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage as Message};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_ROUTE};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// RTNLGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE.
const NEWS: [u32; 6] = [1, 3, 5, 7, 9, 11];

/// VLAN devices that may stand on one another.
const MAX_TAGS: usize = 2;

/// An interface with what stands below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Where frames really leave: below all VLANs.
    pub(crate) ifindex: u32,
    pub(crate) name: String,
    pub(crate) is_loopback: bool,
    address: [u8; 6],
    mtu: u16,
    /// Outermost first.
    tags: [Option<u16>; 2],
}

/// Questions to the kernel, and its news.
#[derive(Debug)]
pub(crate) struct Routes {
    ask: Socket,
    news: Socket,
}

/// By whom a way goes: many peers may be behind one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Via {
    /// The peer itself, or the gateway before it.
    pub(crate) neighbour: IpAddr,
    /// On which interface, VLAN or not, the neighbour is known.
    pub(crate) on: u32,
}

/// The way to a peer, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) hop: NextHop,
    pub(crate) via: Via,
}

/// What may be otherwise than it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// Where neighbours are, or whether they are there.
    pub(crate) neighbours: Vec<Via>,
    /// Anything.
    pub(crate) everything: bool,
}

impl News {
    /// More of it. Beyond so many neighbours it is about everything.
    pub(crate) fn add(&mut self, more: Self) {
        const MANY: usize = 256;
        self.neighbours.extend(more.neighbours);
        self.everything |= more.everything || self.neighbours.len() > MANY;
        if self.everything {
            self.neighbours.clear();
        }
    }
}

impl Routes {
    pub(crate) fn new() -> io::Result<Self> {
        let mut ask = Socket::new(NETLINK_ROUTE)?;
        ask.bind_auto()?;
        ask.connect(&NetlinkAddress::new(0, 0))?;
        let mut news = Socket::new(NETLINK_ROUTE)?;
        news.bind_auto()?;
        for group in NEWS {
            news.add_membership(group)?;
        }
        news.set_non_blocking(true)?;
        Ok(Self { ask, news })
    }

    /// Readable when there is news.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        // SAFETY: the socket is open for as long as `self` is, which the result borrows.
        unsafe { BorrowedFd::borrow_raw(self.news.as_raw_fd()) }
    }

    /// What has changed since the last time: all news is read.
    pub(crate) fn changes(&self) -> News {
        let mut news = News::default();
        loop {
            match self.news.recv_from_full() {
                Ok((bytes, _)) => {
                    // A neighbour is sure or not so sure of itself all the time; everything else is rare.
                    match NetlinkMessage::<Message>::deserialize(&bytes).map(|m| m.payload) {
                        Ok(NetlinkPayload::InnerMessage(
                            Message::NewNeighbour(about) | Message::DelNeighbour(about),
                        )) => news.neighbours.extend(named(&about)),
                        _ => news.everything = true,
                    }
                }
                // More news than there was room for.
                Err(e) if e.raw_os_error() == Some(libc::ENOBUFS) => news.everything = true,
                Err(_) => return news,
            }
        }
    }

    /// The way from one of our addresses to a peer, if all of it is known.
    pub(crate) fn way(&self, from: IpAddr, to: IpAddr) -> io::Result<Option<Way>> {
        let Some(via) = self.via(from, to)? else { return Ok(None) };
        Ok(self.next_hop(&via)?.map(|hop| Way { hop, via }))
    }

    /// By whom the way from one of our addresses to a peer goes, if there is one. One question to the kernel.
    pub(crate) fn via(&self, from: IpAddr, to: IpAddr) -> io::Result<Option<Via>> {
        let mut question = RouteMessage::default();
        question.header.address_family = family(to);
        question.header.destination_prefix_length = bits(to);
        question.header.source_prefix_length = bits(from);
        question.attributes =
            vec![RouteAttribute::Destination(RouteAddress::from(to)), RouteAttribute::Source(from.into())];
        let answer = self.ask(Message::GetRoute(question), 0)?;
        let Some(Message::NewRoute(route)) = answer.into_iter().next() else { return Ok(None) };
        if route.header.kind != RouteType::Unicast {
            return Ok(None);
        }
        let (mut on, mut neighbour) = (None, to);
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Oif(index) => on = Some(*index),
                RouteAttribute::Gateway(RouteAddress::Inet(ip)) => neighbour = IpAddr::V4(*ip),
                RouteAttribute::Gateway(RouteAddress::Inet6(ip)) => neighbour = IpAddr::V6(*ip),
                // By a gateway of the other family, or in another header: the stack's.
                RouteAttribute::Via(_) | RouteAttribute::Encap(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(on.map(|on| Via { neighbour, on }))
    }

    /// Where frames for a neighbour go, if it is there. Two questions, and one more for each VLAN.
    pub(crate) fn next_hop(&self, via: &Via) -> io::Result<Option<NextHop>> {
        let (Some((to, _)), Some(interface)) =
            (self.neighbour(via.on, via.neighbour)?, self.interface(via.on)?)
        else {
            return Ok(None);
        };
        let Interface { ifindex, address, mtu, tags, .. } = interface;
        Ok(Some(NextHop { to, from: address, ifindex, mtu, tags }))
    }

    /// Let the stack look for the neighbour that packets to a peer would go to, as it does for packets of its own.
    pub(crate) fn seek(&self, from: IpAddr, to: IpAddr) -> io::Result<()> {
        let Some(via) = self.via(from, to)? else { return Ok(()) };
        self.make_sure(&via)
    }

    /// Whether there is an interface with this index, be it up or down.
    pub(crate) fn exists(&self, ifindex: u32) -> io::Result<bool> {
        let mut question = LinkMessage::default();
        question.header.index = ifindex;
        match self.ask(Message::GetLink(question), 0) {
            Ok(answer) => Ok(!answer.is_empty()),
            Err(e) if e.raw_os_error() == Some(libc::ENODEV) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Let the stack make sure that a neighbour is still there, as it does for packets of its own.
    pub(crate) fn touch(&self, way: &Way) -> io::Result<()> {
        self.make_sure(&way.via)
    }

    /// The same of any neighbour.
    ///
    /// A neighbour that was entered by hand is let alone: asked so, the kernel would take it for one that it has to find out
    /// about (NUD_PERMANENT is taken off), and it would be lost if it does not answer.
    pub(crate) fn make_sure(&self, via: &Via) -> io::Result<()> {
        if self.neighbour(via.on, via.neighbour)?.is_some_and(|(_, is_fixed)| is_fixed) {
            return Ok(());
        }
        let mut question = NeighbourMessage::default();
        question.header.family = family(via.neighbour);
        question.header.ifindex = via.on;
        question.header.state = NeighbourState::None;
        question.header.flags = NeighbourFlags::Use;
        question.attributes = vec![NeighbourAttribute::Destination(address(via.neighbour))];
        self.send(Message::NewNeighbour(question), 0)
    }

    /// The interface that has one of our addresses, and what stands below it.
    pub(crate) fn interface_of(&self, ip: IpAddr) -> io::Result<Option<Interface>> {
        let mut question = AddressMessage::default();
        question.header.family = family(ip);
        for answer in self.ask(Message::GetAddress(question), NLM_F_DUMP)? {
            let Message::NewAddress(known) = answer else { continue };
            let local = known.attributes.iter().any(|a| match a {
                AddressAttribute::Local(at) | AddressAttribute::Address(at) => *at == ip,
                _ => false,
            });
            if local {
                return self.interface(known.header.index);
            }
        }
        Ok(None)
    }

    /// The hardware address of a neighbour that is there, and whether it was entered by hand.
    fn neighbour(&self, on: u32, ip: IpAddr) -> io::Result<Option<([u8; 6], bool)>> {
        let mut question = NeighbourMessage::default();
        question.header.family = family(ip);
        question.header.ifindex = on;
        question.attributes = vec![NeighbourAttribute::Destination(address(ip))];
        let answer = match self.ask(Message::GetNeighbour(question), 0) {
            Ok(answer) => answer,
            // Not known.
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(Message::NewNeighbour(known)) = answer.into_iter().next() else { return Ok(None) };
        let not_there = [NeighbourState::Incomplete, NeighbourState::Failed, NeighbourState::None];
        if not_there.contains(&known.header.state) {
            return Ok(None);
        }
        let is_fixed = matches!(known.header.state, NeighbourState::Permanent | NeighbourState::Noarp);
        Ok(known.attributes.iter().find_map(|a| match a {
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                Some((bytes.as_slice().try_into().ok()?, is_fixed))
            }
            _ => None,
        }))
    }

    /// An interface that is up, down to where its frames leave.
    fn interface(&self, index: u32) -> io::Result<Option<Interface>> {
        let mut found: Option<Interface> = None;
        let mut next = index;
        // Inner tags first: each device below puts its own before.
        let mut tags = Vec::new();
        loop {
            let mut question = LinkMessage::default();
            question.header.index = next;
            let answer = self.ask(Message::GetLink(question), 0)?;
            let Some(Message::NewLink(link)) = answer.into_iter().next() else { return Ok(None) };
            if !link.header.flags.contains(LinkFlags::Up) {
                return Ok(None);
            }
            let Some(this) = described(&link) else { return Ok(None) };
            let (mtu, address) = found.as_ref().map_or((this.mtu, this.address), |f| (f.mtu, f.address));
            found = Some(Interface { mtu: mtu.min(this.mtu), address, ..this });
            match vlan(&link) {
                Some((below, tag)) if tags.len() < MAX_TAGS => {
                    tags.push(tag);
                    next = below;
                }
                Some(_) => return Ok(None),
                None => break,
            }
        }
        tags.reverse();
        let mut outermost_first = tags.into_iter();
        Ok(found.map(|f| Interface { tags: [outermost_first.next(), outermost_first.next()], ..f }))
    }

    fn send(&self, message: Message, flags: u16) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut bytes = vec![0; request.header.length as usize];
        request.serialize(&mut bytes);
        self.ask.send(&bytes, 0).map(drop)
    }

    /// One answer, or with NLM_F_DUMP all of them.
    fn ask(&self, message: Message, flags: u16) -> io::Result<Vec<Message>> {
        self.send(message, flags)?;
        let mut answers = Vec::new();
        loop {
            let (bytes, _) = self.ask.recv_from_full()?;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let Ok(answer) = NetlinkMessage::<Message>::deserialize(rest) else {
                    return Err(io::ErrorKind::InvalidData.into());
                };
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(answers),
                    NetlinkPayload::Error(e) => match e.code {
                        Some(_) => return Err(e.to_io()),
                        None => return Ok(answers),
                    },
                    NetlinkPayload::InnerMessage(message) => answers.push(message),
                    _ => {}
                }
                let length = (answer.header.length as usize).next_multiple_of(4).max(4);
                rest = rest.get(length..).unwrap_or_default();
            }
            if flags & NLM_F_DUMP == 0 && !answers.is_empty() {
                return Ok(answers);
            }
        }
    }
}

/// Whom news of a neighbour is about.
fn named(about: &NeighbourMessage) -> Option<Via> {
    let neighbour = about.attributes.iter().find_map(|a| match a {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    })?;
    Some(Via { neighbour, on: about.header.ifindex })
}

/// Ethernet's own words of a link.
fn described(link: &LinkMessage) -> Option<Interface> {
    let (mut name, mut address, mut mtu) = (None, None, None);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(n) => name = Some(n.clone()),
            LinkAttribute::Address(bytes) => address = bytes.as_slice().try_into().ok(),
            LinkAttribute::Mtu(n) => mtu = Some(u16::try_from(*n).unwrap_or(u16::MAX)),
            _ => {}
        }
    }
    let ifindex = link.header.index;
    let is_loopback = link.header.flags.contains(LinkFlags::Loopback);
    Some(Interface { ifindex, is_loopback, name: name?, address: address?, mtu: mtu?, tags: [None; 2] })
}

/// What is below a VLAN device, and its tag.
fn vlan(link: &LinkMessage) -> Option<(u32, u16)> {
    let (mut below, mut tag) = (None, None);
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::Link(index) => below = Some(*index),
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    let LinkInfo::Data(InfoData::Vlan(vlan)) = info else { continue };
                    tag = vlan.iter().find_map(|v| if let InfoVlan::Id(id) = v { Some(*id) } else { None });
                }
            }
            _ => {}
        }
    }
    below.zip(tag)
}

fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn address(ip: IpAddr) -> NeighbourAddress {
    match ip {
        IpAddr::V4(ip) => NeighbourAddress::Inet(ip),
        IpAddr::V6(ip) => NeighbourAddress::Inet6(ip),
    }
}
