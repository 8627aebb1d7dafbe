namespace Hotpatch.Cli.Plans;

internal static class PlanExample
{
    /// <summary>Every member a plan can have, with what it is for; as it stands it is a plan that is understood.</summary>
    public const string Text = """
        # A rollout plan. Preview it:  hotpatch rollout plan -f plan.yaml --dry-run
        # Only patch and rings must be there. Flags on the command line win over this file.
        patch: redis-zipmap                 # name, name@level, id or digest
        name: redis-zipmap-r1               # default: the patch's name and a number
        target: tier=cache,zone in (a,b)    # expression over labels and traits; empty = every endpoint
        stratify: zone                      # spread this label's values evenly over the rings
        # seed: 0f3a9c                      # who lands in which ring; made and shown when absent

        rings:                              # in the order they open
          - name: canary
            size: 10                        # a count, a share (25%), rest, or label:EXPR
            bakeSeconds: 30m
            pauseAfter: true                # a person opens the next ring
            gate: {failureBudget: 0}        # where this ring departs from the gate below
          - {name: lab, size: "label:site=lab"}
          - early:25%                       # short for {name: early, size: 25%}
          - rest:rest

        exclusions:                         # win over everything else
          - {endpoint: cache-17, reason: disk is being replaced, until: 2027-01-31T00:00:00Z}
          - {expression: owner=payments, reason: closing of the books}

        gate:                               # to leave a ring
          failureBudget: 1                  # endpoints that may fail ...
          # failurePercent: 2               # ... or a share, and of what: failureOf: ring | executed
          successPercent: 95                # that must be healthy
          deadlineSeconds: 20m              # without a verdict by then a person decides
          minimumSample: 0                  # ended, before a share counts
          minimumHealthy: 1
          excludeSilent: false              # at the deadline, leave out who never began
          classBudgets: {faulted: 0}        # unhealthy, refused, faulted, timedOut
          # metrics:
          #   - {name: errors, url: "http://prometheus:9090", query: "rate(errors_total[5m])", pass: "< 0.01"}
        # shadow: {failureBudget: 0}        # a second gate, recorded and without effect
        bakeSeconds: 15m
        onFailure: rollBack                 # or pause

        limits:
          maxInFlight: 50
          perMinute: 100
          rampBase: 5                       # at first so many in flight ...
          rampFactor: 2                     # ... times this as they become healthy
          budgets: [{label: zone, max: 20}] # of one zone at once
        probeSeconds: [1, 5, 15, 60]        # after the apply
        rollBackOnRegression: true          # by the agent itself
        approval: {needed: 1, approvers: []} # empty = anybody but the planner
        # windows:
        #   - {name: nights, kind: allow, start: "2026-11-28T22:00:00", duration: PT4H, rule: "FREQ=DAILY", zone: Europe/Berlin}
        dynamic: false                      # late joiners enter the last ring
        priority: 0
        fallback: false                     # the ordinary update where a hot patch cannot be
        allowEmpty: false

        """;
}
