;; Built to be called by a host of a later release.
(component
  (instance $nothing)
  (export "whimbrel:step/step@1.0.0" (instance $nothing)))
