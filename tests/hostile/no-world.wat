;; A component that is of no use to anybody.
(component)
