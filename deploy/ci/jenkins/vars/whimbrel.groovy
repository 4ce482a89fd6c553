// A step of a Jenkins shared library: whimbrel(stage: 'plan', environment: 'production')
//
// Gives what the stage tells, such as [WHIMBREL_PLAN: 'sha256:…', WHIMBREL_PENDING: 'true'], to be passed on:
//     def planned = whimbrel(stage: 'plan', environment: 'production')
//     whimbrel(stage: 'apply', environment: 'production', plan: planned.WHIMBREL_PLAN)
// The workspace must have been checked out with its history (no shallow clone).
def call(Map options) {
    if (!(options.stage in ['lint', 'plan', 'apply', 'status'])) {
        error('stage: expected lint, plan, apply or status')
    }
    def scripts = options.scripts ?: 'deploy/ci'
    def artifacts = options.artifacts ?: 'whimbrel-artifacts'
    def told = [:]
    withEnv([
        "WHIMBREL_ENVIRONMENT=${options.environment ?: ''}",
        "WHIMBREL_PROJECT=${options.project ?: '.'}",
        "WHIMBREL_PLAN=${options.plan ?: ''}",
        "WHIMBREL_ARTIFACTS=${artifacts}",
    ]) {
        try {
            sh "${scripts}/${options.stage}.sh ${options.arguments ?: ''}"
        } finally {
            archiveArtifacts artifacts: "${artifacts}/*", allowEmptyArchive: true
            junit testResults: "${artifacts}/${options.stage}.junit.xml", allowEmptyResults: true
        }
        if (fileExists("${artifacts}/${options.stage}.env")) {
            readFile("${artifacts}/${options.stage}.env").readLines().each { line ->
                def (name, value) = line.split('=', 2)
                told[name] = value
            }
        }
    }
    return told
}
