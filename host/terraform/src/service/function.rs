//! Functions.

use std::sync::Arc;

use whimbrel_signal::Scrubber;

use super::Service;
use crate::message;
use crate::provider::FunctionFault;
use crate::sealed::Sealed;
use crate::value::{from_wire, to_wire};

impl Service {
    pub(super) async fn call_function(
        self: Arc<Self>,
        request: message::CallFunctionRequest,
    ) -> message::CallFunctionResponse {
        let service = Arc::clone(&self);
        let calling = self.work(|_| async move { Ok(service.called(request).await) });
        let (done, said) = calling.await;
        let result = done.unwrap_or_else(|| {
            // A function has no diagnostics, but one text.
            let texts = said.into_iter().map(|one| one.summary);
            Err(FunctionFault {
                message: texts.collect::<Vec<_>>().join("; "),
                argument: None,
            })
        });
        match result {
            Ok(result) => message::CallFunctionResponse {
                result: Some(result),
                error: None,
            },
            Err(fault) => message::CallFunctionResponse {
                result: None,
                error: Some(told(&fault, &self.scrubber)),
            },
        }
    }

    async fn called(
        &self,
        request: message::CallFunctionRequest,
    ) -> Result<message::DynamicValue, FunctionFault> {
        let schema = self.schema().await.map_err(|diagnostics| {
            let texts = diagnostics.into_iter().map(|one| one.summary);
            fault(texts.collect::<Vec<_>>().join("; "))
        })?;
        let name = &request.name;
        let Some(function) = schema.functions.get(name) else {
            return Err(fault(format!("the provider has no function `{name}`")));
        };
        let given = request.arguments.len();
        if given < function.parameters.len() {
            return Err(fault(format!("{name} takes more than {given} arguments")));
        }
        let mut arguments = Vec::with_capacity(given);
        for (index, argument) in request.arguments.iter().enumerate() {
            let Some(parameter) = function.parameter(index) else {
                return Err(fault(format!(
                    "{name} takes no more than {index} arguments"
                )));
            };
            let value =
                from_wire(Some(argument), &parameter.kind).map_err(|error| FunctionFault {
                    message: format!("Terraform sent no such value: {error}"),
                    argument: Some(index),
                })?;
            arguments.push(value);
        }
        let result = self.provider.call_function(name, arguments).await?;
        let result = Sealed::without_secrets(result).map_err(|refused| fault(refused.summary))?;
        to_wire(&result, &function.returns)
            .map_err(|error| fault(format!("the provider gave no such value: {error}")))
    }
}

/// As Terraform is told it, without secrets.
fn told(fault: &FunctionFault, scrubber: &Scrubber) -> message::FunctionError {
    message::FunctionError {
        text: scrubber.scrub(&fault.message),
        function_argument: fault.argument.and_then(|index| index.try_into().ok()),
    }
}

const fn fault(message: String) -> FunctionFault {
    FunctionFault {
        message,
        argument: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_holds_no_known_secret() {
        let scrubber = Scrubber::default();
        scrubber.register("hunter22");
        let fault = FunctionFault {
            message: "`hunter22` is no number".to_owned(),
            argument: Some(1),
        };
        let told = told(&fault, &scrubber);
        assert_eq!(told.text, "`[redacted]` is no number");
        assert_eq!(told.function_argument, Some(1));
    }
}
