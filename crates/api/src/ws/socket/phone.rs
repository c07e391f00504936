//! The phone of a page: its offers, their answers, and who owns it.

use model::Refusal;

use super::{Ending, Socket};
use crate::ports::PhoneOwner;
use crate::problem::Problem;
use crate::ws::frame::ServerFrame;

impl Socket {
    /// The page claims the phone with a higher epoch than it said hello with.
    pub(super) fn raise(&mut self, epoch: Option<u64>) {
        if let (Some(epoch), Some(page)) = (epoch, &mut self.page)
            && epoch > page.epoch
        {
            let higher = PhoneOwner { epoch, ..page.clone() };
            self.app.pages.arrive(&higher);
            self.app.pages.leave(page);
            *page = higher;
        }
    }

    pub(super) async fn offer(&mut self, sdp: String, take: bool) -> Result<(), Ending> {
        let seat = self.app.seat(&self.caller).await;
        let page = match (seat, &self.page) {
            (Ok(_), Some(page)) => page.clone(),
            (Err(problem), _) => return self.queue(&ServerFrame::offer_refused(problem)),
            (Ok(_), None) => {
                return self.queue(&ServerFrame::offer_refused(Problem::not_found()));
            }
        };
        if !self.offers.is_empty() {
            let detail = "The offer before this one is being answered.";
            return self.fault(Problem::conflict("in_progress", detail));
        }
        let app = self.app.clone();
        self.offers.push(Box::pin(async move {
            let answer = app.floor.browser_offer(page.clone(), take, sdp).await;
            if answer.is_ok() {
                app.pages.take(&page);
            }
            answer
        }));
        Ok(())
    }

    pub(super) fn answered(&mut self, answer: Result<String, Refusal>) -> Result<(), Ending> {
        match answer {
            Ok(sdp) => self.queue(&ServerFrame::RtcAnswer { sdp }),
            Err(Refusal::WrongState) => self.queue(&ServerFrame::RtcTaken),
            Err(refusal) => self.queue(&ServerFrame::offer_refused(refusal.into())),
        }
    }

    /// Another tab of the same person took the phone.
    pub(super) fn taken(&mut self, owner: &PhoneOwner) {
        let lost = self.page.as_ref().is_some_and(|page| {
            page.tenant == owner.tenant && page.agent == owner.agent && page.tab != owner.tab
        });
        if lost {
            // A full queue ends the connection at the next frame anyway.
            let _ = self.queue(&ServerFrame::RtcTaken);
        }
    }

    pub(super) fn phone(&mut self, up: bool) -> Result<(), Ending> {
        if self.said_hello && self.phone_up.replace(up) != Some(up) {
            self.queue(&ServerFrame::RtcState { up })
        } else {
            Ok(())
        }
    }
}
