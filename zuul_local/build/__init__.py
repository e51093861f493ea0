"""One build: workspace, Zuul's AnsibleJob, console, published folder."""
