//! `whimbrel:resources/engine`: what a resource asks of the engine.

use wasmtime::Result;

use crate::bindings::imports::whimbrel::resources::engine;
use crate::bindings::imports::whimbrel::types::types::Fault;
use crate::capability::Denied;
use crate::engine::EngineQuestion;
use crate::instance::State;

type Answer = Result<Result<String, Fault>>;

impl State {
    async fn ask(&mut self, question: EngineQuestion, request: String) -> Answer {
        let working = self.scope.working.as_ref();
        let access = working.and_then(|working| {
            let access = working.engine.as_ref()?;
            Some((access.clone(), working.call.stop.clone()))
        });
        let Some((access, stop)) = access else {
            return Ok(Err(self.not_here("engine").fault("engine.denied")));
        };
        if !access.allows(question) {
            let denied = Denied::Changes {
                plugin: self.plugin.clone(),
                function: self.scope.function,
                question: question.as_str(),
            };
            return Ok(Err(denied.fault("engine.denied")));
        }
        self.meter.pause();
        let answer = access.ask(question, &request, &stop).await;
        self.meter.resume();
        Ok(match answer? {
            Ok(answer) => Ok(answer.to_string()),
            Err(fault) => Err(fault.into()),
        })
    }
}

impl engine::Host for State {
    async fn plan(&mut self, request: String) -> Answer {
        self.ask(EngineQuestion::Plan, request).await
    }

    async fn apply(&mut self, request: String) -> Answer {
        self.ask(EngineQuestion::Apply, request).await
    }

    async fn revert(&mut self, request: String) -> Answer {
        self.ask(EngineQuestion::Revert, request).await
    }

    async fn status(&mut self, request: String) -> Answer {
        self.ask(EngineQuestion::Status, request).await
    }
}
