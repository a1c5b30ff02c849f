//! The header fields that name a message's transaction and dialog, read once: every layer asks for them again.

use crate::address::NameAddr;
use crate::fault::Defect;
use crate::header::HeaderName;
use crate::message::Message;
use crate::method::Method;
use crate::scan::Span;
use crate::values::{Params, Values};
use crate::via::Via;
use crate::views::CSeq;

/// What was read, as places in the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    via: Result<ViaSpans, Defect>,
    pub(crate) has_one_via: bool,
    from: Result<AddressSpans, Defect>,
    to: Result<AddressSpans, Defect>,
    cseq: Result<(u32, Span), Defect>,
}

#[derive(Debug, Clone, Copy)]
struct AddressSpans {
    display: Option<Span>,
    uri: Span,
    params: Span,
    tag: Option<Span>,
}

#[derive(Debug, Clone, Copy)]
struct ViaSpans {
    transport: Span,
    host: Span,
    port: Option<u16>,
    branch: Option<Span>,
    received: Option<Span>,
    rport: Option<Option<u16>>,
    maddr: Option<Span>,
    oc: bool,
    params: Span,
}

impl Vitals {
    pub(crate) fn read(message: &Message) -> Vitals {
        let at = |part| span(message.bytes(), part);
        let address = |name| {
            let value = message.header(name).ok_or(Defect::Missing(name))?;
            let read = NameAddr::parse(value).map_err(|_| Defect::Malformed(name))?;
            let params = at(read.params.as_bytes());
            Ok(AddressSpans {
                display: read.display.map(at),
                uri: at(read.uri),
                params,
                tag: read.tag().map(at),
            })
        };
        let mut vias = message.lines(HeaderName::Via).flat_map(|line| Values::new(line, true));
        let (top, second) = (vias.next(), vias.next());
        let via = || {
            let via = Via::parse(top.ok_or(Defect::Missing(HeaderName::Via))?)?;
            Ok(ViaSpans {
                transport: at(via.transport),
                host: at(via.host),
                port: via.port,
                branch: via.branch.map(at),
                received: via.received.map(at),
                rport: via.rport,
                maddr: via.maddr.map(at),
                oc: via.oc,
                params: at(via.params.as_bytes()),
            })
        };
        let cseq = || {
            let value = message.header(HeaderName::CSeq).ok_or(Defect::Missing(HeaderName::CSeq))?;
            let (number, method) = CSeq::split(value)?;
            Ok((number, at(method)))
        };
        Vitals {
            via: via(),
            has_one_via: top.is_some() && second.is_none(),
            from: address(HeaderName::From),
            to: address(HeaderName::To),
            cseq: cseq(),
        }
    }

    pub(crate) fn via<'a>(&self, bytes: &'a [u8]) -> Result<Via<'a>, Defect> {
        let spans = self.via?;
        Ok(Via {
            transport: spans.transport.slice(bytes),
            host: spans.host.slice(bytes),
            port: spans.port,
            branch: spans.branch.map(|span| span.slice(bytes)),
            received: spans.received.map(|span| span.slice(bytes)),
            rport: spans.rport,
            maddr: spans.maddr.map(|span| span.slice(bytes)),
            oc: spans.oc,
            params: Params::new(spans.params.slice(bytes)),
        })
    }

    pub(crate) fn from<'a>(&self, bytes: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        Ok(self.from?.address(bytes))
    }

    pub(crate) fn to<'a>(&self, bytes: &'a [u8]) -> Result<NameAddr<'a>, Defect> {
        Ok(self.to?.address(bytes))
    }

    pub(crate) fn cseq<'a>(&self, bytes: &'a [u8]) -> Result<CSeq<'a>, Defect> {
        let (number, method) = self.cseq?;
        Ok(CSeq { number, method: Method::parse(method.slice(bytes)) })
    }
}

impl AddressSpans {
    fn address(self, bytes: &[u8]) -> NameAddr<'_> {
        let slice = |span: Span| span.slice(bytes);
        let (display, tag) = (self.display.map(slice), self.tag.map(slice));
        NameAddr::of_parts(display, slice(self.uri), Params::new(slice(self.params)), tag)
    }
}

/// Where a part stands. An empty one may come from nowhere.
fn span(whole: &[u8], part: &[u8]) -> Span {
    if part.is_empty() { Span::default() } else { Span::of(whole, part) }
}
