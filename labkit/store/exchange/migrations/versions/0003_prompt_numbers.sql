-- Which number a text has under a prompt's name: given once, to whichever machine asks first.

create table labkit_log.prompt_numbers (
    name text not null, version bigint not null, hash text not null,
    primary key (name, version), unique (name, hash)
);
comment on table labkit_log.prompt_numbers is
    'The versions of prompts, each given to one text; a machine that could not ask numbers by itself.';
