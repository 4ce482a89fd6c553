;; Imports what no plugin can have.
(component
  (import "evil:raw/files@1.0.0" (instance (export "read" (func (param "path" string) (result string)))))
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (instance $nothing)
  (export "whimbrel:policy/policy@0.1.0" (instance $nothing)))
